#!/bin/bash
# Stands in for the official image's entry point. Honoured as there: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB (each also as
# …_FILE), POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, PGDATA, and the scripts in /docker-entrypoint-initdb.d.
set -Eeuo pipefail

read_variable() { # NAME DEFAULT: the variable, or the content of the file that NAME_FILE names
    local file="$1_FILE"
    if [ -n "${!1:-}" ] && [ -n "${!file:-}" ]; then
        echo "error: both $1 and $file are set" >&2
        exit 1
    fi
    if [ -n "${!file:-}" ]; then
        printf '%s' "$(<"${!file}")"
    else
        printf '%s' "${!1:-$2}"
    fi
}

prepare_folders() {
    mkdir -p "$PGDATA" /var/run/postgresql || :
    # At every start: the kubelet opens the folder to the pod's group each time, and the server refuses that.
    chmod 00700 "$PGDATA" || :
}

refuse_older_data() { # where the image's own place is empty, and data of another version lies where versions before 18 had it
    local folder
    [ "$PGDATA" = "/var/lib/postgresql/$PG_MAJOR/docker" ] || return 0
    for folder in /var/lib/postgresql /var/lib/postgresql/data /var/lib/postgresql/*/docker; do
        if [ -s "$folder/PG_VERSION" ]; then
            {
                echo "Error: in 18+, these Docker images are configured to store database data in $PGDATA."
                echo "       Counter to that, there appears to be PostgreSQL data in:"
                echo "         $folder (version $(<"$folder/PG_VERSION"))"
            } >&2
            exit 1
        fi
    done
}

create_cluster() {
    local user password database method
    user=$(read_variable POSTGRES_USER postgres)
    password=$(read_variable POSTGRES_PASSWORD "")
    database=$(read_variable POSTGRES_DB "$user")
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$password" ] && [ "$method" != trust ]; then
        echo "error: the database is new and POSTGRES_PASSWORD is empty" >&2
        exit 1
    fi
    local -a arguments=()
    read -ra arguments <<<"${POSTGRES_INITDB_ARGS:-}"
    initdb --username="$user" --pwfile=<(printf '%s\n' "${password:-unused}") "${arguments[@]}"
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
    export PGUSER="$user" PGPASSWORD="$password"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
    if [ "$database" != postgres ]; then
        psql -v ON_ERROR_STOP=1 --no-password --dbname postgres --set name="$database" <<<'CREATE DATABASE :"name";'
    fi
    run_scripts "$database"
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGUSER PGPASSWORD
}

run_scripts() { # DATABASE
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
            *.sh)
                if [ -x "$script" ]; then
                    "$script"
                else
                    # shellcheck source=/dev/null
                    . "$script"
                fi
                ;;
            *.sql) psql -v ON_ERROR_STOP=1 --no-password --dbname "$1" -f "$script" ;;
            *.sql.gz) gunzip -c "$script" | psql -v ON_ERROR_STOP=1 --no-password --dbname "$1" ;;
        esac
    done
}

case "${1:-}" in -*) set -- postgres "$@" ;; esac
if [ "${1:-}" = postgres ]; then
    prepare_folders
    if [ "$(id -u)" = 0 ]; then
        chown -R postgres:postgres "$PGDATA" /var/run/postgresql
        exec gosu postgres "$0" "$@"
    fi
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        refuse_older_data
        create_cluster
    fi
fi
exec "$@"
