# A Node service (TypeScript, pnpm workspace), bundled by its `build` script to dist/, with dist/main.js as its program.
# The context holds the service, its packages and their part of the lock file, at their places in the checkout.
ARG NODE_IMAGE

FROM ${NODE_IMAGE} AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV CI=true
WORKDIR /src
# The pnpm that package.json pins; its hash, where there is one, is npm's business.
COPY package.json ./
# hadolint ignore=DL3016
RUN --mount=type=cache,id=npm,target=/root/.npm \
    npm install --global --no-audit --no-fund "$(node -p 'require("./package.json").packageManager.split("+")[0]')"
# A build needs no more than `dependencies`: the bundler is one of service-kit's. Types and tests are checked before.
# What is locked is fetched before the sources come, so that a changed line fetches nothing.
# The workspace's hooks and patches, which pnpm reads with the lock file, where there are any.
COPY pnpm-workspace.yaml pnpm-lock.yaml .pnpmfile.cj[s] .pnpmfile.mj[s] ./
COPY patche[s] ./patches/
RUN --mount=type=cache,id=pnpm-store,target=/pnpm/store \
    pnpm fetch --prod --store-dir=/pnpm/store
COPY . .
ARG SERVICE_PATH
RUN --mount=type=cache,id=pnpm-store,target=/pnpm/store \
    pnpm install --store-dir=/pnpm/store --prod --offline --frozen-lockfile \
 && pnpm --filter="./${SERVICE_PATH}" run build
RUN mkdir -p /image/app \
 && cp -R "${SERVICE_PATH}/package.json" "${SERVICE_PATH}/contract.json" "${SERVICE_PATH}/dist" /image/app
# Files are dated alike, or two builds would not be the same image.
ARG SOURCE_DATE_EPOCH
RUN find /image -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

# The whole root file system: node, the libraries that it links, certificates where the base has them. No shell.
FROM ${NODE_IMAGE} AS root
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG USER_ID
RUN mkdir -p /image/etc/ssl/certs /image/app && mkdir -m 1777 /image/tmp \
 && ldd /usr/local/bin/node | grep -o '/[^ ]*' | xargs cp --parents --dereference --target-directory=/image /usr/local/bin/node \
 && if [ -e /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; fi \
 && echo "app:x:${USER_ID}:${USER_ID}::/app:/sbin/nologin" > /image/etc/passwd \
 && echo "app:x:${USER_ID}:" > /image/etc/group
ARG SOURCE_DATE_EPOCH
RUN find /image -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

FROM scratch
COPY --from=root /image /
COPY --from=build /image /
WORKDIR /app
ARG USER_ID PORT APP_VERSION
ENV PATH=/usr/local/bin NODE_ENV=production APP_VERSION=${APP_VERSION}
USER ${USER_ID}:${USER_ID}
EXPOSE ${PORT}
ENTRYPOINT ["node", "dist/main.js"]
