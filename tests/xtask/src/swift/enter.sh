#!/bin/sh
# enter.sh ROOT CHECKOUT TARGET FOLDER [NAME=VALUE]... PROGRAM [ARGUMENT]...
#
# Runs PROGRAM in FOLDER with ROOT as its world, in which CHECKOUT and TARGET are where they are
# outside. To be run in namespaces of its own: it mounts and leaves it to the kernel to unmount.
set -eu

root=$1 checkout=$2 target=$3 folder=$4
shift 4

# The first process of a namespace of processes, as `unshare --mount --pid --fork` makes it. Anywhere
# else the mounts would stay.
if [ $$ -ne 1 ]; then
    echo "enter.sh: not in namespaces of its own" >&2
    exit 1
fi

mkdir -p "$root$checkout"
mount -t proc proc "$root/proc"
mount --bind "$checkout" "$root$checkout"
mount -o remount,bind,ro "$root$checkout"
mkdir -p "$root$target"
mount --bind "$target" "$root$target"

exec chroot "$root" env -i -C "$folder" \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
