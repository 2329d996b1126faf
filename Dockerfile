# The image of tracemig: the static binary, certificates of authorities and nothing else, not even a shell. It runs as nobody in particular.
#
#   docker build -t registry.example.com/tracemig --build-arg VERSION=v1.2.3 .
#   docker run --rm --env-file databricks.env -v tracemig:/state registry.example.com/tracemig run --source … --target …
#
# For several platforms: docker buildx build --platform linux/amd64,linux/arm64. A release pins both images by their digests.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS=linux TARGETARCH=amd64 VERSION="" COMMIT="" DATE=""
# DL3062 wants a version of what go run gets, which is in this repository.
# hadolint ignore=DL3062
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH make build VERSION="$VERSION" COMMIT="$COMMIT" DATE="$DATE" && \
    go -C release run ./licences/write "$TARGETOS/$TARGETARCH" /src/bin/third-party-licences && \
    mkdir /state

FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.source="https://github.com/tracemig/tracemig" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /src/bin/tracemig /usr/bin/tracemig
COPY --from=build /src/LICENSE /usr/share/doc/tracemig/copyright
COPY --from=build /src/bin/third-party-licences /usr/share/doc/tracemig/third-party-licences
# The checkpoints. Mount a disk here, or each run fills them anew from the target.
COPY --from=build --chown=65532:65532 /state /state
ENV XDG_STATE_HOME=/state
VOLUME /state
# The user nonroot, as a number: Kubernetes' runAsNonRoot can't look names up.
USER 65532:65532
ENTRYPOINT ["/usr/bin/tracemig"]
