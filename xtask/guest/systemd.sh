# A real systemd for scenarios about units: `. systemd.sh`, after `. lib.sh`.
#
#   start_systemd                   systemd as process 1 of a process namespace of its own, which sees the guest's files, devices and volumes
#   in_systemd COMMAND...           there: systemctl, journalctl, ...

start_systemd() {
    local unit
    mkdir -p /run/systemd/system
    # Not with semaphores of its own: LVM and the guest's udev wait for each other with them. The guest has its own udev; what
    # cleans up /tmp would take the scenario's folder.
    for unit in systemd-udevd{.service,-kernel.socket,-control.socket} systemd-udev-{trigger,settle}.service \
        lvm2-{monitor.service,lvmpolld.socket} blk-availability.service systemd-tmpfiles-{setup,setup-dev,clean}.service \
        systemd-{remount-fs,modules-load,sysctl,binfmt,sysusers,update-utmp,random-seed}.service {e2scrub_all,dpkg-db-backup}.timer \
        ssh.service prometheus.service prometheus-node-exporter.service; do
        ln -sf /dev/null "/run/systemd/system/$unit"
    done
    container=other unshare --mount --pid --fork --propagation private --kill-child \
        sh -c 'mount -t proc proc /proc; exec /lib/systemd/systemd --system --unit=basic.target --log-target=journal --show-status=no' &
    systemd=$!
    at_end no_systemd
    within 60 in_systemd systemctl is-active basic.target
}

no_systemd() {
    # What its services said is gone with it.
    in_systemd journalctl -o cat --no-pager -n 60 -u 'lvbackup-*' >&2 || true
    kill -KILL "$systemd"
    wait "$systemd" || true
    rm -rf /run/systemd/system /run/systemd/transient
}

in_systemd() {
    nsenter -t "$(pgrep -x systemd)" -m -p -- "$@"
}
