export { createTokenApp } from './app.ts';
export { createTokenPlane, type TokenPlane, type TokenPlaneOptions } from './deps.ts';
export { startTokenService, type TokenService, type TokenServiceOptions } from './start.ts';
