# Workers without a GPU: orchestrator (default) and api; also the command line (`node cli/main.ts status RUN`).
# Build from the root of the checkout: docker build -f infra/images/orchestrator.Dockerfile -t ratchet-orchestrator .
FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/ratchet
# The npm package `node` brings a second Node by its install script, which an image of Node does not need.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force
COPY . .
RUN mkdir -p /var/lib/ratchet && chown node:node /var/lib/ratchet
ENV RATCHET_HOME=/var/lib/ratchet \
    RATCHET_READY_FILE=/tmp/ratchet.ready \
    RATCHET_METRICS_ADDRESS=0.0.0.0:9464
USER node
EXPOSE 9464
ENTRYPOINT ["node"]
CMD ["workers/orchestrator.ts"]
