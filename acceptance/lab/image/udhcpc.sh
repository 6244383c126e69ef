#!/bin/sh
# What the guest does with a lease. Classless routes (option 121), where given, replace the router.
case $1 in
bound | renew)
  ip addr flush dev "$interface"
  ip addr add "$ip/${mask:-24}" broadcast + dev "$interface"
  [ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
  if [ -n "$staticroutes" ]; then
    set -- $staticroutes
    while [ -n "$1" ]; do
      case $2 in
      0.0.0.0) ip route replace "$1" dev "$interface" ;;
      *) ip route replace "$1" via "$2" dev "$interface" ;;
      esac
      shift 2
    done
  else
    for via in $router; do ip route replace default via "$via" dev "$interface"; break; done
  fi
  : >/etc/resolv.conf
  for server in $dns; do echo "nameserver $server" >>/etc/resolv.conf; done
  echo "mkys-tiny: $interface has $ip"
  mkdir -p /run/bound && touch "/run/bound/$interface"
  ;;
esac
