export * from './catalogue.ts';
export * from './feed.ts';
export { type HintOutcome, hintOutcomes } from './hints.ts';
export type { NatsSettings } from './nats-settings.ts';
export { placesOf } from './nats-settings.ts';
export { type NatsTrouble, natsTroubles } from './nats-trouble.ts';
export * from './notify.ts';
export type { Relay } from './relay.ts';
