# The bot as one container: `docker build -t workflow-bot .`, then
# `docker run --env-file .env -v workflow-bot:/data -p 3000:3000 workflow-bot`.
# It needs no more than its volume: a read-only root file system and dropped capabilities are fine.

FROM python:3.13-slim AS build
WORKDIR /source
COPY requirements-setup.lock requirements.lock ./
RUN python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        --require-hashes -r requirements-setup.lock \
    && python -m venv --without-pip /opt/workflow-bot
# Compiled here, because the user who runs it can write nothing below /opt: without .pyc a start takes three times as long.
RUN uv pip install --no-cache --python /opt/workflow-bot/bin/python --compile-bytecode --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE manifest.yml ./
COPY migrations migrations
COPY bot bot
RUN uv build --wheel --no-build-isolation --python "$(command -v python)" --out-dir /tmp/dist \
    && uv pip install --no-cache --python /opt/workflow-bot/bin/python --compile-bytecode --no-deps /tmp/dist/*.whl

FROM python:3.13-slim
# A fixed number, so that a volume keeps its owner from one version of the image to the next.
RUN groupadd --gid 10001 workflow-bot \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin workflow-bot \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/workflow-bot /opt/workflow-bot
ENV PATH=/opt/workflow-bot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=3000 \
    LOG_FORMAT=json \
    DATABASE_URL=sqlite:////data/workflow-bot.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 3000
# The standard library is enough to ask; the image has no curl, and a proxy in the environment must not be asked instead.
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=3); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["workflow-bot"]
# Brings the database's schema up to date before it takes the first request.
CMD ["serve"]
