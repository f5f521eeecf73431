/** Where an identity provider is, and what its public keys are: asked of its host, through the guarded client. */
export { askWithin, IdpTrouble, parseJson, troubleAt } from './ask.ts';
export * from './keys.ts';
export { findProvider, type ProviderMetadata } from './metadata.ts';
