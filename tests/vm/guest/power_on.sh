#!/bin/sh
# The hardware of a Pi, there before anything looks for it: header chip, SPI with its MCP3008, USB, identity.
# Words of the kernel's command line that begin with `rig.` say which Pi, and what is held at power-on.
set -eu
model= revision= chip= label= pressed= up= codes=
for word in $(cat /proc/cmdline); do
    case $word in
    rig.model=*) model=$(echo "${word#*=}" | tr _ ' ') ;;
    rig.revision=*) revision=${word#*=} ;;
    rig.chip=*) chip=${word#*=} ;;
    rig.label=*) label=${word#*=} ;;
    rig.up=*) up=$(echo "${word#*=}" | tr , ' ') ;;
    rig.pressed=*) pressed=$(echo "${word#*=}" | tr , ' ') ;;
    rig.codes=*) codes=${word#*=} ;;
    esac
done
modprobe configfs
modprobe gpio-sim-pi
modprobe mcp3008_sim ${codes:+codes=$codes}
modprobe pi_identity model="\"$model\"" revision="$revision" chip="$chip"
modprobe dummy_hcd num=2 & # two USB cables with a device's end and a host's
modprobe snd-dummy id=Headphones & # as a Pi has it; ALSA is there before the first unit asks for it
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing

header=/sys/kernel/config/gpio-sim/header
mkdir -p $header/bank0
echo 54 >$header/bank0/num_lines
echo "$label" >$header/bank0/label
echo 1 >$header/live
lines=/sys/devices/platform/$(cat $header/dev_name)/$(cat $header/bank0/chip_name)
ln -sfn "$lines" /run/rig-lines
for line in $up; do echo pull-up >"$lines/sim_gpio$line/pull"; done
for line in $pressed; do echo pull-down >"$lines/sim_gpio$line/pull"; done

# Every level that a program sets from now on, with the kernel's time.
log=/sys/kernel/tracing/instances/panel
mkdir -p $log
echo mono >$log/trace_clock
echo 8192 >$log/buffer_size_kb
echo 'get==0' >$log/events/gpio/gpio_value/filter
echo 1 >$log/events/gpio/gpio_value/enable
wait
