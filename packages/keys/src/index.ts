export * from './errors.ts';
export * from './key-pair.ts';
export * from './key-store.ts';
export { type KeyfileOptions, keyfileStore } from './keyfile.ts';
export { createKeyring, type Keyring } from './keyring.ts';
export * from './lifecycle.ts';
export { localSigner } from './local-signer.ts';
