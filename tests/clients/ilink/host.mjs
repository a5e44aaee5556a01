// What the client takes from its host framework, OpenClaw: as much of it as the client calls, and nothing that talks to
// WeChat. Everything that goes over the wire is the client's own.

import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const TMP = path.join(process.env.OPENCLAW_STATE_DIR ?? os.tmpdir(), 'tmp');

// account-id
export const normalizeAccountId = (id) => id.trim().toLowerCase().replace(/[^a-z0-9_-]+/g, '-');

// infra-runtime
export const resolvePreferredOpenClawTmpDir = () => TMP;
export const withFileLock = (_file, _options, work) => work();

// channel-config-schema, config-runtime
export const buildChannelConfigSchema = (schema) => ({ schema });
export const loadConfig = () => ({});
export const writeConfigFile = async () => {};

// channel-message: begin at once, repeat, and end with one stop
export function createTypingCallbacks({ start, stop, onStartError, onStopError, keepaliveIntervalMs }) {
  let timer;
  const begin = () => start().catch(onStartError);
  return {
    onReplyStart: async () => {
      await begin();
      timer ??= setInterval(begin, keepaliveIntervalMs);
    },
    onIdle: async () => {
      if (!timer) return;
      clearInterval(timer);
      timer = undefined;
      await stop().catch(onStopError);
    },
  };
}

// command-auth: only people of the list may speak
export async function resolveSenderCommandAuthorizationWithRuntime(params) {
  const allowed = params.isSenderAllowed(params.senderId, await params.readAllowFromStore());
  return { senderAllowedForCommands: allowed, commandAuthorized: allowed };
}
export const resolveDirectDmAuthorizationOutcome = ({ senderAllowedForCommands }) =>
  senderAllowedForCommands ? 'allowed' : 'unauthorized';

// hook-runtime, plugin-runtime: nobody hooks
export const getGlobalHookRunner = () => null;
export const fireAndForgetHook = (promise) => void promise.catch(() => {});
export const buildCanonicalSentMessageHookContext = (context) => context;
export const toPluginMessageContext = (context) => context;
export const toPluginMessageSentEvent = (context) => context;

// The runtime that a gateway hands to `startAccount`. `answer(context, deliver, options)` is the agent.
export function channelRuntime(folder, answer) {
  let saved = 0;
  return {
    commands: {},
    media: {
      saveMediaBuffer: async (bytes, _mime, _subdir, _limit, name) => {
        const file = path.join(folder, `in-${(saved += 1)}-${path.basename(name ?? 'media')}`);
        await fs.writeFile(file, bytes);
        return { path: file };
      },
    },
    routing: {
      resolveAgentRoute: ({ accountId, peer }) => ({
        agentId: 'main',
        sessionKey: `${accountId}:${peer.id}`,
        mainSessionKey: 'main',
      }),
    },
    session: { resolveStorePath: () => path.join(folder, 'sessions.json'), recordInboundSession: async () => {} },
    reply: {
      finalizeInboundContext: (context) => context,
      resolveHumanDelayConfig: () => undefined,
      createReplyDispatcherWithTyping: ({ deliver, typingCallbacks, onError }) => ({
        dispatcher: { deliver, typing: typingCallbacks, onError },
        replyOptions: {},
        markDispatchIdle: () => {},
      }),
      withReplyDispatcher: ({ run }) => run(),
      dispatchReplyFromConfig: async ({ ctx, dispatcher, replyOptions }) => {
        await dispatcher.typing.onReplyStart();
        try {
          await answer(ctx, dispatcher.deliver, replyOptions);
        } catch (error) {
          dispatcher.onError(error, { kind: 'final' });
        } finally {
          await dispatcher.typing.onIdle();
        }
      },
    },
  };
}
