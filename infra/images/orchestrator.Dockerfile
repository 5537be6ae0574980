# Workers without a GPU: orchestrator (default) and api; also the command line (`node cli/main.ts status RUN`).
# Build from the root of the checkout: docker build -f infra/images/orchestrator.Dockerfile -t ratchet-orchestrator .
FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/ratchet
# The image has its Node: the one that npm brings for a checkout goes again.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force && rm -rf node_modules/node-linux-*
COPY . .
RUN mkdir -p /var/lib/ratchet && chown node:node /var/lib/ratchet
ENV RATCHET_HOME=/var/lib/ratchet \
    RATCHET_READY_FILE=/tmp/ratchet.ready \
    RATCHET_METRICS_ADDRESS=0.0.0.0:9464
USER node
EXPOSE 9464
ENTRYPOINT ["node"]
CMD ["workers/orchestrator.ts"]
