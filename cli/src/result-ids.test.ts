import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idsOf } from './result-ids.ts';

test('an id an object', () => {
  const cases: [unknown, string[]][] = [
    [{ id: '1', name: 'x' }, ['1']],
    [{ client_id: 'c', client_name: 'x' }, ['c']],
    [
      [{ id: '1' }, { id: '2' }],
      ['1', '2'],
    ],
    [{ keys: [{ kid: 'a' }, { kid: 'b' }] }, ['a', 'b']],
    [{ consent_grants: [{ id: 'a' }], broker_grants: [] }, ['a']],
    [{ client_ids: ['a', 'b'] }, ['a', 'b']],
    [{ source: 'a', target: 'b' }, ['a b']],
    [{ id: 'x\ny' }, ['"x\\ny"']],
    [{ mode: 'open' }, []],
    [undefined, []],
    [[], []],
  ];
  for (const [result, ids] of cases) assert.deepEqual(idsOf(result), ids, JSON.stringify(result));
});
