/** `@authserver/events/nats`: what loads the client of NATS, for processes that use it. */
export { natsChannel } from './nats.ts';
export { examineNats, type NatsExamination } from './nats-examination.ts';
export { createRelay } from './relay.ts';
