import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDisturbances } from './disturbances.ts';

const now = () => performance.now();

test('a request may fail while what it needs is disturbed, and no other', () => {
  const disturbances = createDisturbances();
  disturbances.begin({ name: 'redis', affects: ['dpop'] }, 0);
  assert.ok(disturbances.allows('dpop', undefined, now(), now()));
  assert.ok(!disturbances.allows('machine', undefined, now(), now()));
});

test('one pod in trouble excuses questions to it and to the balancer, not to the others', () => {
  const disturbances = createDisturbances();
  disturbances.begin({ name: 'frozen', affects: ['machine'], pods: ['token-1'] }, 0);
  assert.deepEqual(
    ['token-1', 'token-2', undefined].map((pod) => disturbances.allows('machine', pod, now(), now())),
    [true, false, true],
  );
  assert.ok(disturbances.touched('token-1', now()) && !disturbances.touched('token-2', now()));
});

test('a pod that hears of changes all the same has to follow them', () => {
  const disturbances = createDisturbances();
  disturbances.begin({ name: 'redis', affects: ['dpop'], hears: true }, 0);
  assert.ok(!disturbances.touched('token-1', now()));
  disturbances.begin({ name: 'postgres', affects: ['machine'] }, 0);
  assert.ok(disturbances.touched('token-1', now()));
});

test('a restart excuses nobody who comes through the balancer', () => {
  const disturbances = createDisturbances();
  disturbances.begin({ name: 'restart', affects: ['machine'], pods: ['token-1'], doorsOnly: true }, 0);
  assert.deepEqual(
    ['token-1', undefined].map((pod) => disturbances.allows('machine', pod, now(), now())),
    [true, false],
  );
});

test('it is over when the time to recover is over, and a request that began before is still excused', async () => {
  const disturbances = createDisturbances();
  const end = disturbances.begin({ name: 'x', affects: ['machine'] }, 10);
  const during = now();
  end();
  assert.deepEqual(disturbances.active(), ['x']);
  await sleep(20);
  assert.deepEqual(disturbances.active(), []);
  assert.ok(!disturbances.allows('machine', undefined, now(), now()));
  assert.ok(disturbances.allows('machine', undefined, during, now()));
});
