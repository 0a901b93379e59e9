# Sourced by what builds the image: gets buildah and a static BusyBox from Debian's packages where they are not there.

# prepare_buildah FOLDER REPOSITORY: sets what buildah and packaging/image/build read from the environment. The images are kept in
# FOLDER, in a storage that no engine knows.
prepare_buildah() {
    local folder=$1 repository=$2 missing=() updated=
    debian() {
        [[ -n $updated ]] || apt-get update -qq
        updated=1
        (cd "$folder" && apt-get "$@") >"$folder/apt.log" 2>&1 || { cat "$folder/apt.log" >&2 && exit 1; }
    }
    command -v buildah >/dev/null || missing+=(buildah)
    command -v readelf >/dev/null || missing+=(binutils)
    [[ -s /etc/ssl/certs/ca-certificates.crt ]] || missing+=(ca-certificates)
    [[ ${#missing[@]} -eq 0 ]] || DEBIAN_FRONTEND=noninteractive debian install -y --no-install-recommends "${missing[@]}"
    if [[ -z ${BUSYBOX:-} ]]; then
        BUSYBOX=/bin/busybox
        if [[ ! -x $BUSYBOX ]] || readelf --program-headers --wide "$BUSYBOX" | grep -q INTERP; then
            # Kept beside the system, where the package would take the place of another BusyBox.
            BUSYBOX=$repository/target/busybox/bin/busybox
            if [[ ! -x $BUSYBOX ]]; then
                debian -o APT::Sandbox::User=root download busybox-static
                mkdir -p "$repository/target"
                dpkg --extract "$folder"/busybox-static_*.deb "$repository/target/busybox"
            fi
        fi
    fi
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$folder/storage" "$folder/run" >"$folder/storage.conf"
    export BUSYBOX CONTAINERS_STORAGE_CONF=$folder/storage.conf STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
}
