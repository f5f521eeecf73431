export * from './aes-master.ts';
export * from './any-backend.ts';
export * from './data-cipher.ts';
export * from './key-name.ts';
export * from './vault-transit.ts';
