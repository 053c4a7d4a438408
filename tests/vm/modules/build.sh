#!/bin/sh
# Builds the modules for the kernel whose headers are here. Runs in a throw-away root of Debian that has
# linux-headers, linux-source, make and xz-utils; leaves /build/modules.tar.
set -eu
headers=$(echo /usr/src/linux-headers-*-amd64)
release=${headers#/usr/src/linux-headers-}
source=$(ls /usr/src/linux-source-*.tar.xz)
cd /build
tar -xJf "$source" --strip-components=1 --wildcards \
    '*/drivers/gpio/gpio-sim.c' '*/drivers/gpio/gpiolib.h' '*/drivers/gpio/dev-sync-probe.[ch]' \
    '*/kernel/irq/irq_sim.c' 2>/dev/null || true # a file that this kernel does not have yet
find drivers kernel -type f -exec mv {} . \;

once() { # file, line of it that must be there, sed's command
    grep -q "$2" "$1" || { echo "$1 of $release has no line with: $2. Look at tests/vm/modules/build.sh." >&2; exit 1; }
    sed -i "$3" "$1"
}
# A chip as on a Pi: a line that is given back stays as it was (persist_gpio_outputs), and the world outside is
# stronger than the resistor that a program asks for.
once gpio-sim.c 'gc->free = gpio_sim_free;' '/gc->free = gpio_sim_free;/d'
once gpio-sim.c 'gc->set_config = gpio_sim_set_config;' '/gc->set_config = gpio_sim_set_config;/d'
# Not open to modules before 6.4.
sed -i 's/handle_simple_irq(irq_to_desc(irqnum));/generic_handle_irq(irqnum);/' irq_sim.c

make -s -C "$headers" M=/build modules
into=tree/usr/lib/modules/$release/extra
mkdir -p "$into"
cp ./*.ko "$into"
strip --strip-debug "$into"/*.ko
tar -C tree --owner=0 --group=0 -cf modules.tar usr
