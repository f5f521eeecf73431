export { createAdminApp } from './app.ts';
export { type AdminPlane, type AdminPlaneOptions, createAdminPlane } from './deps.ts';
export { seedConfiguration } from './seed.ts';
export {
  type AdminService,
  type AdminServiceOptions,
  type OpenAdmin,
  openAdminApp,
  startAdminService,
} from './start.ts';
