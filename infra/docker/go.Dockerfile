# A Go service: one static binary from cmd/server, and nothing else but certificates.
# The context holds the service and the kit at their places in the checkout.
ARG GO_IMAGE

FROM ${GO_IMAGE} AS build
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-trimpath -buildvcs=false -mod=readonly"
ARG SERVICE_PATH
WORKDIR /src/${SERVICE_PATH}
# What is locked is fetched before the sources come, so that a changed line fetches nothing. Go asks
# once for each module: a connection that breaks off is tried again, and what has come already stays.
# A service that requires nothing but the kit has no go.sum.
COPY packages/service-kit-go/go.mod /src/packages/service-kit-go/
COPY ${SERVICE_PATH}/go.mod ${SERVICE_PATH}/go.su[m] ./
RUN --mount=type=cache,id=go-mod,target=/go/pkg/mod \
    go mod download || { sleep 2 && go mod download; } || { sleep 10 && go mod download; }
COPY . /src
RUN --mount=type=cache,id=go-mod,target=/go/pkg/mod --mount=type=cache,id=go-build,target=/root/.cache/go-build \
    go build -ldflags="-s -w -buildid=" -o /image/server ./cmd/server
ARG USER_ID
RUN mkdir -p /image/etc/ssl/certs && mkdir -m 1777 /image/tmp \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && echo "app:x:${USER_ID}:${USER_ID}::/:/sbin/nologin" > /image/etc/passwd \
 && echo "app:x:${USER_ID}:" > /image/etc/group
# Files are dated alike, or two builds would not be the same image.
ARG SOURCE_DATE_EPOCH
RUN find /image -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

FROM scratch
COPY --from=build /image /
ARG USER_ID PORT APP_VERSION
ENV PATH=/ APP_VERSION=${APP_VERSION}
USER ${USER_ID}:${USER_ID}
EXPOSE ${PORT}
ENTRYPOINT ["/server"]
