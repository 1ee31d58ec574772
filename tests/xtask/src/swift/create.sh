#!/bin/sh
# create.sh ROOT
#
# Creates a Debian with Swift in the folder ROOT. Must run as root in its own namespaces, because debootstrap mounts.
set -eu

# The first release of Debian with Swift.
suite=trixie
packages=swiftlang,libc6-dev,g++,ca-certificates

root=$1
# Renamed when it is complete.
partial=$root.partial

if [ $$ -ne 1 ]; then
    echo "create.sh: not in namespaces of its own" >&2
    exit 3
fi

# This machine's mirror of Debian, as far as debootstrap can read it.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main' |
        grep -m 1 -E '^(https?://|file:)'
}
# The origin of a source is in the package lists, which images often do not contain.
mirror=$(mirror) || { apt-get -q update && mirror=$(mirror); } || {
    echo "create.sh: apt has no mirror of Debian among its sources" >&2
    exit 1
}
proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy)
case $proxy in
    '' | DIRECT) ;;
    *) export http_proxy="$proxy" ;;
esac

# The rest of an interrupted attempt. It contains no mounts: those were in namespaces that have ended.
rm -rf --one-file-system -- "$partial"
debootstrap --variant=minbase --include="$packages" "$suite" "$partial" "$mirror"

# The devices that debootstrap did not create. The machine's own /dev is never mounted there.
while read -r name major minor; do
    [ -e "$partial/dev/$name" ] || mknod -m 666 "$partial/dev/$name" c "$major" "$minor"
done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
END

# The downloaded package files.
rm -f "$partial"/var/cache/apt/archives/*.deb
mv "$partial" "$root"
