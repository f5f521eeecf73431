import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { rulesDirectory } from '../support/prometheus.ts';

export type AlertRule = {
  alert: string;
  expr: string;
  for?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
};
type RecordingRule = { record: string; expr: string };

const rulesOf = <Rule>(file: string): Rule[] =>
  (parse(readFileSync(join(rulesDirectory, file), 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
    ({ rules }) => rules,
  );

export const alertRules = (): AlertRule[] => rulesOf('alerts.yaml');
export const recordingRules = (): RecordingRule[] => rulesOf('recording.yaml');
