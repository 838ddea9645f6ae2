# Two images from one file:
#   docker build --target control -t epochd-control .     API, migrations, client; no torch
#   docker build --target worker  -t epochd-worker  .     the same and torch
# PIP_ARGS goes to pip, for instance to take PyTorch's CPU build from the index that its "get started" page names.

FROM node:22-slim AS dashboard
WORKDIR /build
COPY api/dashboard/package.json api/dashboard/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY api/dashboard ./
RUN npm run build

FROM python:3.12-slim AS base
# PYTHONPATH: the packages have flat names (core, models, ...), and those of /app must be the ones that are found.
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    EPOCHD_DATA_DIR=/data EPOCHD_HOST=0.0.0.0 EPOCHD_LOG_FORMAT=json
RUN useradd --system --uid 10001 --create-home --home-dir /data epochd
WORKDIR /app
# Dependencies first, torch's gigabytes among them: these layers are rebuilt only when the dependencies change.
COPY pyproject.toml constraints.txt README.md LICENSE ./

FROM base AS control-dependencies
ARG PIP_ARGS=""
RUN pip install ${PIP_ARGS} -c constraints.txt '.[postgres]'

FROM control-dependencies AS worker-dependencies
ARG PIP_ARGS=""
RUN pip install ${PIP_ARGS} -c constraints.txt '.[postgres,worker]'

FROM control-dependencies AS control
COPY migrations migrations
COPY core core
COPY epochd epochd
COPY examples epochd/examples
COPY api api
COPY --from=dashboard /build/dist api/dashboard/dist
USER epochd
VOLUME /data
EXPOSE 8600
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8600/readyz', timeout=4)"]
CMD ["python", "-m", "api"]

FROM worker-dependencies AS worker
COPY --from=control /app /app
COPY models models
COPY workers workers
USER epochd
VOLUME /data
# A worker listens nowhere; it proves its life by the leases it renews and its row in /v1/workers.
HEALTHCHECK NONE
CMD ["python", "-m", "workers"]
