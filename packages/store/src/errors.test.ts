import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CheckFailed, DuplicateRow, ReferenceGone, StoreUnavailable, toStoreError } from './errors.ts';

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
    '28P01', // the password was changed
    '28000', // pg_hba.conf was changed
    '3D000', // the database is being restored
    '58030', // I/O error
    '53100', // disk full
    'XX001', // data corrupted
    '26000', // a pooler gave the session to somebody else
    'ENOENT', // the socket of a server that stopped
    'ENETDOWN',
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ]) {
    const error = coded(code);
    const mapped = toStoreError(error);
    assert.ok(mapped instanceof StoreUnavailable, code);
    assert.equal(mapped.cause, error);
  }
});

test('a plan that a migration made stale is made again, any other lack of a feature is ours', () => {
  assert.ok(toStoreError(coded('0A000', 'cached plan must not change result type')) instanceof StoreUnavailable);
  assert.ok(!(toStoreError(coded('0A000', 'cannot do that')) instanceof StoreUnavailable));
});

test('what is told of an outage is its code, and never what the server said', () => {
  assert.match((toStoreError(coded('28P01', 'password authentication failed for "x"')) as Error).message, /\(28P01\)$/);
  assert.match((toStoreError(new Error('Query read timeout')) as Error).message, /\(Query read timeout\)$/);
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

test('a check that failed says which', () => {
  const error = Object.assign(coded('23514'), { constraint: 'delegation_uses_within_budget' });
  const mapped = toStoreError(error);
  assert.ok(mapped instanceof CheckFailed);
  assert.equal(mapped.constraint, 'delegation_uses_within_budget');
  assert.equal(mapped.cause, error);
});

test('a fault of ours stays what it was: retrying would not help', () => {
  for (const error of [
    coded('42P01', 'relation does not exist'),
    coded('22P02', 'invalid input syntax, timeout in its text'),
    new Error('something else'),
    new TypeError('x is not a function'),
  ])
    assert.equal(toStoreError(error), error);
  assert.equal(toStoreError(undefined), undefined);
});
