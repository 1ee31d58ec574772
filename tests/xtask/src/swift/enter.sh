#!/bin/sh
# enter.sh ROOT CHECKOUT TARGET FOLDER [NAME=VALUE]... PROGRAM [ARGUMENT]...
#
# Runs PROGRAM in FOLDER with ROOT as the root folder, in which CHECKOUT and TARGET have the same paths
# as outside. Must run in its own namespaces: it mounts, and the kernel unmounts when they end.
set -eu

root=$1 checkout=$2 target=$3 folder=$4
shift 4

# It must be the first process of a PID namespace, as with `unshare --mount --pid --fork`. Otherwise
# the mounts would stay.
if [ $$ -ne 1 ]; then
    echo "enter.sh: not in namespaces of its own" >&2
    exit 3
fi

mkdir -p "$root$checkout"
mount -t proc proc "$root/proc"
mount --bind "$checkout" "$root$checkout"
mount -o remount,bind,ro "$root$checkout"
mkdir -p "$root$target"
mount --bind "$target" "$root$target"

exec chroot "$root" env -i -C "$folder" \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
