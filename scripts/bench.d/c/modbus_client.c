/* modbus_client.c - what one Modbus TCP request costs with libmodbus: the ceiling for any client.
 *
 *     modbus_client PORT REQUESTS REGISTERS
 */
#include "marks.h"
#include <modbus/modbus.h>
#include <sys/resource.h>

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec * 1e-6; }

int main(int argc, char **argv)
{
    if (argc != 4) { fprintf(stderr, "usage: modbus_client PORT REQUESTS REGISTERS\n"); return 2; }
    int requests = atoi(argv[2]), registers = atoi(argv[3]);
    uint16_t values[125];
    struct rusage before, after;
    modbus_t *bus = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    if (!bus || modbus_set_slave(bus, 1) || modbus_connect(bus)) { perror("connect"); return 1; }

    getrusage(RUSAGE_SELF, &before);
    int64_t begun = now_ns();
    for (int i = 0; i < requests; i++)
        if (modbus_read_registers(bus, 0, registers, values) != registers) { perror("read"); return 1; }
    double wall = (now_ns() - begun) * 1e-9;
    getrusage(RUSAGE_SELF, &after);

    double cpu = seconds(after.ru_utime) - seconds(before.ru_utime) + seconds(after.ru_stime) - seconds(before.ru_stime);
    printf("{\"cpu_us\": %.2f, \"requests_s\": %.1f}\n", cpu / requests * 1e6, requests / wall);
    return 0;
}
