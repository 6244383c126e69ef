#!/bin/sh
# What the guest says of itself at /cgi-bin/status.
printf 'Content-Type: text/plain\r\n\r\n'
echo "host $(hostname)"
echo "uptime $(cut -d' ' -f1 /proc/uptime)"
ip -4 -o addr
cat /proc/partitions
grep /dev/vd /proc/mounts
