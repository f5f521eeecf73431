import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DuplicateRow, ReferenceGone, StoreUnavailable, toStoreError } from './errors.ts';

const coded = (code: string, message = 'something') => Object.assign(new Error(message), { code });

test('a database that is away, starting, stopping or full is StoreUnavailable, with the cause kept', () => {
  for (const code of [
    'ECONNREFUSED',
    'ECONNRESET',
    'ETIMEDOUT',
    'EAI_AGAIN',
    '08006', // connection failure
    '57P01', // admin shutdown
    '57P03', // cannot connect now
    '53300', // too many connections
    '40P01', // deadlock detected
    '40001', // serialization failure
    '57014', // statement timeout
    '55P03', // lock not available
    '25006', // read-only: a standby after a failover
  ]) {
    const error = coded(code);
    const mapped = toStoreError(error);
    assert.ok(mapped instanceof StoreUnavailable, code);
    assert.equal(mapped.cause, error);
  }
});

test('an error of the driver without a code is told by its text', () => {
  for (const message of [
    'timeout exceeded when trying to connect',
    'Connection terminated unexpectedly',
    'Client has encountered a connection error and is not queryable',
    'Cannot use a pool after calling end on the pool',
    'Query read timeout',
  ])
    assert.ok(toStoreError(new Error(message)) instanceof StoreUnavailable, message);
});

test('a duplicate key names its constraint', () => {
  const mapped = toStoreError(Object.assign(coded('23505'), { constraint: 'users_email_key' }));
  assert.ok(mapped instanceof DuplicateRow);
  assert.equal(mapped.constraint, 'users_email_key');
});

test('a row that refers to something deleted meanwhile says so', () => {
  const error = coded('23503');
  const mapped = toStoreError(error);
  assert.ok(mapped instanceof ReferenceGone);
  assert.equal(mapped.cause, error);
});

test('a fault of ours stays what it was: retrying would not help', () => {
  for (const error of [
    coded('42P01', 'relation does not exist'),
    coded('22P02', 'invalid input syntax, timeout in its text'),
    coded('23514'),
    new Error('something else'),
    new TypeError('x is not a function'),
  ])
    assert.equal(toStoreError(error), error);
  assert.equal(toStoreError(undefined), undefined);
});
