# The image of the controller: one static binary and the CAs that it trusts.
#
#   docker buildx build --platform linux/amd64,linux/arm64 \
#     --build-arg VERSION=v1.2.3 --build-arg COMMIT=0123abc -t storageos/volume-sync-controller:v1.2.3 .
#
# hack/image reads this file too and writes the same image without Docker.

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY Makefile ./
COPY hack/build.sh hack/build.sh
COPY cmd cmd
COPY pkg pkg
ARG TARGETOS TARGETARCH VERSION=unknown COMMIT=unknown
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH GOFLAGS=-buildvcs=false make build VERSION=$VERSION COMMIT=$COMMIT

FROM scratch
ARG VERSION=unknown COMMIT=unknown
LABEL org.opencontainers.image.title="StorageOS Volume Sync Controller" \
      org.opencontainers.image.description="Keeps a true record of every StorageOS volume in Kubernetes" \
      org.opencontainers.image.vendor="StorageOS" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.url="https://github.com/storageos/volume-sync-controller" \
      org.opencontainers.image.source="https://github.com/storageos/volume-sync-controller" \
      org.opencontainers.image.documentation="https://github.com/storageos/volume-sync-controller/blob/main/docs/operations.md" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/bin/volume-sync-controller /volume-sync-controller
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/volume-sync-controller"]
