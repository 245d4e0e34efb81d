# A Python service (uv project), run from its folder: `python -m my_service` of my-service, beside the contract.json that it reads.
# The context holds the service and its packages at their places in the checkout.
ARG PYTHON_IMAGE

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION=0.13.9
RUN --mount=type=cache,id=pip,target=/root/.cache/pip \
    pip install --root-user-action=ignore --disable-pip-version-check --resume-retries=5 "uv==${UV_VERSION}"
# Byte code is checked by nothing at run time: the files are dated back afterwards, and the root file system is read-only.
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 PYC_INVALIDATION_MODE=UNCHECKED_HASH UV_NO_DEV=1 \
    UV_PYTHON=/usr/local/bin/python3 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/app/.venv
ARG SERVICE_PATH
WORKDIR /src/${SERVICE_PATH}
# What is locked is fetched before the sources come, so that a changed line fetches nothing.
COPY ${SERVICE_PATH}/pyproject.toml ${SERVICE_PATH}/uv.lock ./
RUN --mount=type=cache,id=uv,target=/root/.cache/uv \
    uv sync --frozen --no-install-local
COPY . /src
ARG SERVICE_NAME
RUN --mount=type=cache,id=uv,target=/root/.cache/uv \
    uv sync --locked --no-editable \
 # When uv saw a local package's sources, which is another moment in each build, is of no use to the image.
 && find /app/.venv -path '*.dist-info/uv_cache.json' -delete \
 && find /app/.venv -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} +
RUN module="$(python3 -c 'import sys; print(sys.argv[1].replace("-", "_"))' "${SERVICE_NAME}")" \
 && cp -R "${module}" contract.json /app \
 && printf 'import runpy\n\nrunpy.run_module("%s", run_name="__main__", alter_sys=True)\n' "${module}" > /app/__main__.py \
 && python3 -m compileall -q --invalidation-mode unchecked-hash "/app/${module}"
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
ARG USER_ID PORT APP_VERSION
ENV PATH=/app/.venv/bin:/usr/local/bin HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 APP_VERSION=${APP_VERSION}
USER ${USER_ID}:${USER_ID}
EXPOSE ${PORT}
ENTRYPOINT ["python3", "/app"]
