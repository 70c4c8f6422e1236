/* A Modbus slave on libmodbus, RTU or TCP: a peer that shares no code with pymodbus.
 *
 *   mbslave rtu PORT BAUD PARITY STOPBITS UNIT          e.g. mbslave rtu /dev/ttyUSB0 9600 N 1 7
 *   mbslave tcp ADDRESS PORT UNIT                       PORT 0: a free one; printed behind `ready`
 *
 * Holding 0..99 = 1000*UNIT + address (writable), input 0..99 = 2000*UNIT + address, coil i = i odd, discrete inputs 0;
 * holding 100-101 = float32 21.5 + UNIT, high word first. Everything else: exception 2.
 * MB_HOLDING names a file with other holding registers, from 0, high bytes first.
 * Prints `ready`. Exit: 1 cannot open or listen, 2 the line is gone.
 * Environment: MB_BYTE_US byte timeout (20000), MB_DEBUG libmodbus's trace on stdout.
 *
 * libmodbus 3.1.6: modbus_set_float_abcd() swaps the bytes of each word, hence the words by hand. Its default byte timeout
 * of 500 ms never resynchronises while a master keeps polling; a real slave waits for t3.5, 2-4 ms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static modbus_mapping_t *registers_in(const char *path)
{
    static uint8_t bytes[2 * 4096];
    FILE *file = fopen(path, "rb");
    size_t count = file ? fread(bytes, 2, sizeof bytes / 2, file) : 0;
    modbus_mapping_t *map = count ? modbus_mapping_new(0, 0, count, 0) : NULL;
    for (size_t i = 0; map && i < count; i++) map->tab_registers[i] = bytes[2 * i] << 8 | bytes[2 * i + 1];
    if (file) fclose(file);
    return map;
}

static modbus_mapping_t *registers_of(int unit)
{
    if (getenv("MB_HOLDING")) return registers_in(getenv("MB_HOLDING"));
    modbus_mapping_t *map = modbus_mapping_new(100, 100, 102, 100);
    float value = 21.5f + unit;
    uint32_t bits;
    if (!map) return NULL;
    for (int i = 0; i < 100; i++) {
        map->tab_registers[i] = 1000 * unit + i;
        map->tab_input_registers[i] = 2000 * unit + i;
        map->tab_bits[i] = i & 1;
    }
    memcpy(&bits, &value, sizeof bits);
    map->tab_registers[100] = bits >> 16;
    map->tab_registers[101] = bits & 0xffff;
    return map;
}

/* Answer one connection or line until it ends: 0 = wait for the next client, else the exit code. */
static int serve(modbus_t *bus, modbus_mapping_t *map, int tcp)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    for (;;) {
        int length = modbus_receive(bus, request);
        if (length > 0 && modbus_reply(bus, request, length, map) < 0 && tcp) return 0;
        if (length < 0 && tcp) return 0;
        if (length < 0 && (errno == EIO || errno == EBADF)) return 2;
        if (length < 0) modbus_flush(bus);
    }
}

static int port_of(int listening)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (listening < 0 || getsockname(listening, (struct sockaddr *)&address, &size)) return 0;
    return ntohs(address.sin_port);
}

int main(int count, char **arg)
{
    int tcp = count == 5 && !strcmp(arg[1], "tcp"), listening = -1, gone;
    if (!tcp && (count != 7 || strcmp(arg[1], "rtu")))
        return fprintf(stderr, "mbslave rtu PORT BAUD PARITY STOPBITS UNIT | mbslave tcp ADDRESS PORT UNIT\n"), 2;
    int unit = atoi(arg[count - 1]);
    modbus_t *bus = tcp ? modbus_new_tcp(arg[2], atoi(arg[3])) : modbus_new_rtu(arg[2], atoi(arg[3]), arg[4][0], 8, atoi(arg[5]));
    modbus_mapping_t *map = registers_of(unit);
    if (!bus || !map) return 1;
    modbus_set_byte_timeout(bus, 0, getenv("MB_BYTE_US") ? atoi(getenv("MB_BYTE_US")) : 20000);
    modbus_set_debug(bus, getenv("MB_DEBUG") != NULL);
    modbus_set_slave(bus, unit);
    if (tcp ? (listening = modbus_tcp_listen(bus, 4)) < 0 : modbus_connect(bus) < 0) return perror(arg[2]), 1;
    printf("ready %d\n", tcp ? port_of(listening) : 0);
    fflush(stdout);
    do {
        if (tcp && modbus_tcp_accept(bus, &listening) < 0) return 1;
        gone = serve(bus, map, tcp);
        modbus_close(bus);
    } while (!gone);
    return gone;
}
