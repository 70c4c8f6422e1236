/* iorecord.c - write down, in order, what a program does to the files under one folder; or let calls fail.
 *
 * LD_PRELOAD shim for crashes.py, which turns the log into the states a power cut could leave behind. It
 * sees any dynamically linked program, whatever SQLite it uses: the product as deployed, not a model of it.
 *
 *   cc -O2 -shared -fPIC -o iorecord.so iorecord.c -ldl
 *   IORECORD_ROOT=folder IORECORD_LOG=file LD_PRELOAD=./iorecord.so program ...
 *   IORECORD_ROOT=folder IORECORD_LOG=/dev/null IORECORD_FAIL="sync 5 EIO once" LD_PRELOAD=... program ...
 *
 * IORECORD_FAIL: call (write, sync, read, truncate), its number below the folder from 1 on, errno (EIO,
 * ENOSPC, EROFS or STALL, which waits three seconds and succeeds), and `once` or `ever`.
 *
 * Recorded below the folder: file creation, write, pwrite, ftruncate, fallocate (as growth), fsync, fdatasync,
 * rename, unlink, mkdir; and, as marks, everything written to standard output (the writer's `accepted N` lines).
 * Not recorded: mmap stores (SQLite's -shm, which a crash discards anyway), writev, io_uring, dup'ed descriptors,
 * calls with a directory descriptor. Linux, 64-bit, glibc or musl.
 *
 * One record: struct record, then `text` bytes of path (relative to the folder), then `data` bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FDS = 4096, LOG_FD = 900 };

struct record {
    uint32_t kind; /* c create, w write, t truncate, s sync, d sync directory, u unlink, r rename, k mkdir, m mark,
                      n opened a file that was there */
    uint32_t text;
    uint64_t inode;
    int64_t at; /* offset of a write, size of a truncate */
    uint64_t data;
};

static char root[PATH_MAX];
static size_t root_length;
static int log_fd = -1;
static char watched[MOST_FDS]; /* 0 no, 1 file, 2 directory */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name, type) \
    static __typeof__(type) real; \
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, name)

static void plan_failure(void);

__attribute__((constructor)) static void start(void)
{
    const char *folder = getenv("IORECORD_ROOT"), *log = getenv("IORECORD_LOG");
    if (!folder || !log || !realpath(folder, root)) return;
    root_length = strlen(root);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD); /* out of the program's way */
    syscall(SYS_close, fd);
    plan_failure();
}

static char fail_call[16];
static long fail_at, fail_seen;
static int fail_errno, fail_ever;

static void plan_failure(void)
{
    char number[16] = "EIO", how[16] = "once";
    const char *plan = getenv("IORECORD_FAIL");
    if (!plan || sscanf(plan, "%15s %ld %15s %15s", fail_call, &fail_at, number, how) < 2) return;
    fail_errno = !strcmp(number, "ENOSPC") ? ENOSPC : !strcmp(number, "EROFS") ? EROFS : !strcmp(number, "STALL") ? -1 : EIO;
    fail_ever = !strcmp(how, "ever");
}

/* Whether this call, on one of our files, has to fail now; errno is set. Called with the lock held. */
static int fails(const char *call)
{
    if (!fail_at || strcmp(call, fail_call)) return 0;
    fail_seen++;
    if (fail_seen != fail_at && !(fail_ever && fail_seen > fail_at)) return 0;
    if (fail_errno < 0) {
        struct timespec three = {3, 0};
        nanosleep(&three, NULL);
        return 0;
    }
    errno = fail_errno;
    return 1;
}

static void put(const void *bytes, size_t size)
{
    for (const char *p = bytes; size;) {
        ssize_t done = syscall(SYS_write, log_fd, p, size);
        if (done <= 0) abort(); /* a log with holes is worse than none */
        p += done;
        size -= (size_t)done;
    }
}

static void note(char kind, uint64_t inode, int64_t at, const char *text, const void *data, size_t size)
{
    if (log_fd < 0) return;
    struct record r = {(uint32_t)kind, text ? (uint32_t)strlen(text) : 0, inode, at, size};
    put(&r, sizeof r);
    if (r.text) put(text, r.text);
    if (size) put(data, size);
}

/* The path relative to the folder, or NULL when it is not below it. The last part need not exist. */
static const char *below(const char *path, char *out)
{
    char copy[PATH_MAX], parent[PATH_MAX];
    if (log_fd < 0 || strlen(path) >= PATH_MAX) return NULL;
    strcpy(copy, path);
    char *slash = strrchr(copy, '/');
    const char *name = slash ? slash + 1 : copy;
    if (slash) *slash = 0;
    if (!realpath(slash ? (*copy ? copy : "/") : ".", parent)) return NULL;
    if (strncmp(parent, root, root_length) || (parent[root_length] && parent[root_length] != '/')) return NULL;
    const char *folder = parent + root_length + (parent[root_length] == '/');
    if (strlen(folder) + strlen(name) + 2 > PATH_MAX) return NULL;
    strcpy(out, folder);
    if (*folder) strcat(out, "/");
    strcat(out, name);
    return out;
}

static uint64_t inode_of(int fd)
{
    struct stat s;
    return fstat(fd, &s) ? 0 : (uint64_t)s.st_ino;
}

static void opened(int fd, const char *path, int existed, int flags)
{
    char name[PATH_MAX];
    struct stat s;
    if (fd < 0 || fd >= MOST_FDS || fstat(fd, &s)) return;
    watched[fd] = 0;
    char whole[PATH_MAX];
    int is_root = realpath(path, whole) && !strcmp(whole, root);
    if (!is_root && !below(path, name)) return;
    watched[fd] = S_ISDIR(s.st_mode) ? 2 : S_ISREG(s.st_mode) ? 1 : 0;
    if (watched[fd] != 1) return;
    if (!existed) note('c', (uint64_t)s.st_ino, 0, name, NULL, 0);
    else note('n', (uint64_t)s.st_ino, 0, name, NULL, 0);
    if (existed && flags & O_TRUNC) note('t', (uint64_t)s.st_ino, 0, NULL, NULL, 0);
}

#define OPEN(symbol) \
    int symbol(const char *path, int flags, ...) \
    { \
        REAL(#symbol, int (*)(const char *, int, ...)); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        pthread_mutex_lock(&lock); \
        int existed = !access(path, F_OK), fd = real(path, flags, mode), kept = errno; \
        opened(fd, path, existed, flags); \
        pthread_mutex_unlock(&lock); \
        errno = kept; \
        return fd; \
    }
OPEN(open)
OPEN(open64)

static int is_file(int fd) { return fd >= 0 && fd < MOST_FDS && watched[fd] == 1; }

int close(int fd)
{
    REAL("close", int (*)(int));
    if (fd >= 0 && fd < MOST_FDS) watched[fd] = 0;
    return real(fd);
}

#define PWRITE(symbol) \
    ssize_t symbol(int fd, const void *data, size_t size, off_t at) \
    { \
        REAL(#symbol, ssize_t (*)(int, const void *, size_t, off_t)); \
        pthread_mutex_lock(&lock); \
        ssize_t done = is_file(fd) && fails("write") ? -1 : real(fd, data, size, at); \
        int kept = errno; \
        if (done > 0 && is_file(fd)) note('w', inode_of(fd), at, NULL, data, (size_t)done); \
        pthread_mutex_unlock(&lock); \
        errno = kept; \
        return done; \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define PREAD(symbol) \
    ssize_t symbol(int fd, void *data, size_t size, off_t at) \
    { \
        REAL(#symbol, ssize_t (*)(int, void *, size_t, off_t)); \
        pthread_mutex_lock(&lock); \
        int failed = is_file(fd) && fails("read"); \
        int kept = errno; \
        pthread_mutex_unlock(&lock); \
        errno = kept; \
        return failed ? -1 : real(fd, data, size, at); \
    }
PREAD(pread)
PREAD(pread64)

ssize_t write(int fd, const void *data, size_t size)
{
    REAL("write", ssize_t (*)(int, const void *, size_t));
    pthread_mutex_lock(&lock);
    ssize_t done = is_file(fd) && fails("write") ? -1 : real(fd, data, size);
    int kept = errno;
    if (done > 0 && is_file(fd)) note('w', inode_of(fd), lseek(fd, 0, SEEK_CUR) - done, NULL, data, (size_t)done);
    else if (done > 0 && fd == STDOUT_FILENO) note('m', 0, 0, NULL, data, (size_t)done);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

#define TRUNCATE(symbol) \
    int symbol(int fd, off_t size) \
    { \
        REAL(#symbol, int (*)(int, off_t)); \
        pthread_mutex_lock(&lock); \
        int done = is_file(fd) && fails("truncate") ? -1 : real(fd, size), kept = errno; \
        if (!done && is_file(fd)) note('t', inode_of(fd), size, NULL, NULL, 0); \
        pthread_mutex_unlock(&lock); \
        errno = kept; \
        return done; \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

/* Growth is what matters here; punching holes and the like is not modelled. */
#define ALLOCATE(symbol) \
    int symbol(int fd, off_t at, off_t length) \
    { \
        REAL(#symbol, int (*)(int, off_t, off_t)); \
        struct stat s; \
        pthread_mutex_lock(&lock); \
        int done = real(fd, at, length); \
        if (!done && is_file(fd) && !fstat(fd, &s)) note('t', (uint64_t)s.st_ino, s.st_size, NULL, NULL, 0); \
        pthread_mutex_unlock(&lock); \
        return done; \
    }
ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)

#define SYNC(symbol) \
    int symbol(int fd) \
    { \
        REAL(#symbol, int (*)(int)); \
        pthread_mutex_lock(&lock); \
        int done = is_file(fd) && fails("sync") ? -1 : real(fd), kept = errno; \
        if (!done && fd >= 0 && fd < MOST_FDS && watched[fd]) note(watched[fd] == 2 ? 'd' : 's', inode_of(fd), 0, NULL, NULL, 0); \
        pthread_mutex_unlock(&lock); \
        errno = kept; \
        return done; \
    }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path)
{
    REAL("unlink", int (*)(const char *));
    char name[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *inside = below(path, name);
    int done = real(path), kept = errno;
    if (!done && inside) note('u', 0, 0, inside, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int rename(const char *old, const char *new)
{
    REAL("rename", int (*)(const char *, const char *));
    char from[PATH_MAX], to[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *source = below(old, from), *target = below(new, to);
    int done = real(old, new), kept = errno;
    if (!done && source && target) note('r', 0, 0, source, target, strlen(target));
    else if (!done && source) note('u', 0, 0, source, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int mkdir(const char *path, mode_t mode)
{
    REAL("mkdir", int (*)(const char *, mode_t));
    char name[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *inside = below(path, name);
    int done = real(path, mode), kept = errno;
    if (!done && inside) note('k', 0, 0, inside, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}
