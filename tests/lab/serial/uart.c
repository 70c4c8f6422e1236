/* A UART that can switch an RS-485 transmitter and hand over every byte at once: preloaded, it
   answers the four requests a pty refuses, and appends what was set to $UART_LOG.
   Numbers and layouts: linux/serial.h, asm-generic/ioctls.h. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/serial.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static struct serial_rs485 direction;
static struct serial_struct settings;

static void note(const char *what, unsigned flags, unsigned before, unsigned after)
{
    FILE *log = fopen(getenv("UART_LOG"), "a");
    if (!log)
        return;
    fprintf(log, "%s %#x %u %u\n", what, flags, before, after);
    fclose(log);
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, void *);
    va_list more;
    va_start(more, request);
    void *value = va_arg(more, void *);
    va_end(more);
    switch (request) {
    case TIOCGRS485:
        memcpy(value, &direction, sizeof direction);
        return 0;
    case TIOCSRS485:
        memcpy(&direction, value, sizeof direction);
        note("rs485", direction.flags, direction.delay_rts_before_send, direction.delay_rts_after_send);
        return 0;
    case TIOCGSERIAL:
        memcpy(value, &settings, sizeof settings);
        return 0;
    case TIOCSSERIAL:
        memcpy(&settings, value, sizeof settings);
        note("serial", settings.flags, 0, 0);
        return 0;
    }
    if (!real)
        real = dlsym(RTLD_NEXT, "ioctl");
    return real(fd, request, value);
}
