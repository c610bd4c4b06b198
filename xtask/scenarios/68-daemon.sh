# limit: 900
# takes: 180
# The daemon under a real systemd, as its unit ships: it mirrors over ssh, tells of trouble once and of its end once, takes a new
# configuration and refuses a wrong one, stops at a durable point; its metrics, rules and dashboard are what Prometheus takes.
. lib.sh
. sync.sh
. systemd.sh

for rules in /payload/packaging/prometheus/*.rules.yml; do promtool check rules "$rules"; done
(cd /payload/packaging/prometheus && promtool test rules ./*.test.yml)

make_pair 16m
far_host
install -m 755 "$(command -v lvbackup)" /usr/local/sbin/lvbackup
install -m 644 /payload/packaging/systemd/lvbackup-* /etc/systemd/system/
mkdir -p /etc/hyperlayer /var/lib/alerts
cat >/usr/local/sbin/tell <<'END'
#!/bin/sh
{ cat; echo; } >>/var/lib/alerts/told
END
chmod +x /usr/local/sbin/tell
configure() {
    cat >/etc/hyperlayer/lvbackup.toml <<END
zone = "UTC"
[job.data]
source = "src/data"
destination = "far:dst/data"
pool = "pool"
every = "$1"
backoff = { first = "5s", cap = "5s" }
alert_after_failures = 1
${2:-}
[alerts]
exec = ["/usr/local/sbin/tell"]
[metrics]
file = "/var/lib/alerts/lvbackup.prom"
listen = "127.0.0.1:9749"
END
}
configure 5s
start_systemd
journal_has() {
    in_systemd journalctl -u lvbackup-daemon --no-pager | grep -F "$1"
}
told() {
    [ "$(wc -l <"/var/lib/alerts/told")" = "$1" ]
}

expect_exit 0 in_systemd lvbackup daemon --config /etc/hyperlayer/lvbackup.toml --check
expect_exit 3 in_systemd lvbackup alarm
in_systemd systemctl daemon-reload
in_systemd systemctl start lvbackup-daemon
[ "$(in_systemd systemctl show -P NRestarts lvbackup-daemon)" = 0 ]
within 120 lvs dst/data
within 60 in_systemd lvbackup alarm
in_systemd lvbackup status
in_systemd lvbackup alarm
# A second one finds the first.
expect_exit 4 in_systemd lvbackup daemon --config /etc/hyperlayer/lvbackup.toml

# Its metrics, in the file and on loopback.
promtool check metrics </var/lib/alerts/lvbackup.prom
exec 7<>/dev/tcp/127.0.0.1/9749
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&7
grep -q '^lvbackup_' <&7
exec 7>&-

# A wrong configuration is refused by its line, and the old one stays.
echo 'evry = "5s"' >>/etc/hyperlayer/lvbackup.toml
expect_exit 2 in_systemd lvbackup daemon --config /etc/hyperlayer/lvbackup.toml --check
stderr_has 'lvbackup.toml:15:1'
in_systemd systemctl reload lvbackup-daemon
within 30 journal_has 'lvbackup.toml:15:1'
[ "$(in_systemd systemctl is-active lvbackup-daemon)" = active ]

# Trouble is told once, and its end once.
configure 5s
in_systemd systemctl reload lvbackup-daemon
mv /root/.ssh/authorized_keys /root/.ssh/away
change 1
within 120 told 1
expect_exit 2 in_systemd lvbackup alarm
mv /root/.ssh/away /root/.ssh/authorized_keys
within 120 told 2
cat /var/lib/alerts/told

# It stops in the midst of a transfer, at a durable point, and goes on there.
configure 1s 'bwlimit = "64k"'
in_systemd systemctl reload lvbackup-daemon
write_pattern src/data 0 8m long
within 120 being_received dst
start=$SECONDS
in_systemd systemctl stop lvbackup-daemon
[ $((SECONDS - start)) -le 15 ]
[ "$(in_systemd systemctl show -P Result lvbackup-daemon)" = success ]
configure 1s
in_systemd systemctl start lvbackup-sync@data.service
[ "$(in_systemd systemctl show -P Result lvbackup-sync@data.service)" = success ]
mirrored
told 2

# systemd loses patience with the daemon while an LVM command of a run has the origin suspended: the command lives on and ends.
lvm_wrapper <<'END'
if [ -e /scratch/hold ] && [[ ${0##*/} == lvcreate && " $* " == *' --snapshot '*' src/data '* ]]; then
    # As lvcreate has it in its midst. What kills this leaves it so.
    dmsetup suspend src-data
    touch /scratch/held
    while [ -e /scratch/hold ]; do sleep 0.1; done
    dmsetup resume src-data
    touch /scratch/ended
fi
exec -a "$0" "$lvm" "$@"
END
suspended() {
    dmsetup info --columns --noheadings --separator ' ' -o suspended,name | grep '^Suspended'
}
none_suspended() {
    ! suspended
}
mkdir -p /etc/systemd/system/lvbackup-daemon.service.d
printf '[Service]\nTimeoutStopSec=3s\n' >/etc/systemd/system/lvbackup-daemon.service.d/impatient.conf
in_systemd systemctl daemon-reload
change 2
touch /scratch/hold
in_systemd systemctl start lvbackup-daemon
within 120 test -e /scratch/held
in_systemd systemctl stop lvbackup-daemon
[ "$(in_systemd systemctl show -P Result lvbackup-daemon)" = timeout ]
suspended
rm /scratch/hold
within 60 test -e /scratch/ended
within 60 none_suspended
within 60 eval '! pgrep -f "lvbackup [s]ync"'
rm -r /etc/systemd/system/lvbackup-daemon.service.d
in_systemd systemctl daemon-reload
in_systemd systemctl start lvbackup-sync@data.service
mirrored
