/** `@authserver/replay/redis`: what loads the client of Redis, for processes that have one. */
export { pingRedis } from './ping.ts';
export { evictionPolicy, openRedis, type RedisConnectionOptions, type RedisUse } from './redis.ts';
