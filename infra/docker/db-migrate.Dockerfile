# The database migrations and the program that runs them: `python -m ops.database`, with psycopg and nothing else.
ARG PYTHON_IMAGE

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION=0.13.9
RUN --mount=type=cache,id=pip,target=/root/.cache/pip \
    pip install --root-user-action=ignore --disable-pip-version-check --resume-retries=5 "uv==${UV_VERSION}"
# Byte code is checked by nothing at run time: the files are dated back afterwards, and the root file system is read-only.
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    UV_PYTHON=/usr/local/bin/python3 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/app/.venv
WORKDIR /src/infra/docker/db-migrate
COPY infra/docker/db-migrate/pyproject.toml infra/docker/db-migrate/uv.lock ./
RUN --mount=type=cache,id=uv,target=/root/.cache/uv \
    uv sync --locked
COPY ops /app/ops
COPY packages/db/migrations /app/packages/db/migrations
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app/ops
# What the installed libraries link, beside what the interpreter does.
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN mkdir /image \
 && find /app -type f -name '*.so*' -exec ldd {} + 2> /dev/null \
    | grep -oE '^\s(\S+ => )?/\S+' | grep -o '/.*' | grep -v '^/app/' | sort -u \
    | xargs --no-run-if-empty cp --parents --dereference --target-directory=/image \
 && mv /app /image/app
# Files are dated alike, or two builds would not be the same image.
ARG SOURCE_DATE_EPOCH
RUN find /image -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

# The whole root file system: the interpreter, its standard library and what they link, certificates where the base has them. No shell.
FROM ${PYTHON_IMAGE} AS root
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG USER_ID
RUN python="$(readlink -f "$(command -v python3)")" && library="$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && mkdir -p /image/etc/ssl/certs /image/app /image/usr/local/bin && mkdir -m 1777 /image/tmp \
 && cp --parents --recursive "${python}" "${library}" /image \
 && ln -sf "${python}" /image/usr/local/bin/python3 \
 && for part in test idlelib tkinter turtledemo ensurepip site-packages dist-packages; do rm -rf "/image${library:?}/${part}"; done \
 && rm -rf "/image${library:?}"/config-* \
 && find "${python}" "/image${library}" -type f \( -path "${python}" -o -name '*.so' \) -exec ldd {} + 2> /dev/null \
    | grep -oE '^\s(\S+ => )?/\S+' | grep -o '/.*' | sort -u | xargs cp --parents --dereference --target-directory=/image \
 && if [ -e /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; fi \
 && echo "app:x:${USER_ID}:${USER_ID}::/app:/sbin/nologin" > /image/etc/passwd \
 && echo "app:x:${USER_ID}:" > /image/etc/group \
 && find /image -name __pycache__ -prune -exec rm -r {} + \
 && python3 -m compileall -q -s /image -p / --invalidation-mode unchecked-hash "/image${library}"
ARG SOURCE_DATE_EPOCH
RUN find /image -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

FROM scratch
COPY --from=root /image /
COPY --from=build /image /
WORKDIR /app
ARG USER_ID APP_VERSION
ENV PATH=/app/.venv/bin:/usr/local/bin HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 APP_VERSION=${APP_VERSION}
USER ${USER_ID}:${USER_ID}
ENTRYPOINT ["python3", "-m", "ops.database"]
CMD ["migrate"]
