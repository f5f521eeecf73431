import { z } from 'zod';
import type { Entity } from '../entity.ts';
import * as configuration from '../views/configuration.ts';

/** Room for tens of thousands of declarations. */
const bodyLimit = 32 * 1024 * 1024;

/** What operators keep in files and apply again and again. */
export const configurationEntities = {
  configuration: {
    title: 'Declarative configuration',
    operations: {
      export: {
        method: 'GET',
        path: '/admin/configuration/export',
        summary: 'Show what files would have to say so that an empty server becomes like this one; no secrets.',
        query: configuration.ExportQuery,
        returns: configuration.ExportedConfiguration,
      },
      owners: {
        method: 'GET',
        path: '/admin/configuration/owners',
        summary: 'List which objects are declared in files, and under which label.',
        query: configuration.ListOwners,
        returns: z.array(configuration.OwnedObject),
      },
      plan: {
        method: 'POST',
        path: '/admin/configuration/plan',
        summary: 'Show what applying declarations would do, and what was changed by hand since; nothing is changed.',
        body: configuration.PlanConfiguration,
        returns: configuration.ConfigurationPlan,
        looks: true,
        bodyLimit,
        progress: true,
      },
      apply: {
        method: 'POST',
        path: '/admin/configuration/apply',
        summary: 'Make everything as it is declared, or nothing.',
        body: configuration.ApplyConfiguration,
        returns: configuration.AppliedConfiguration,
        audit: 'configuration.applied',
        bodyLimit,
        progress: true,
      },
    },
  },
} as const satisfies Record<string, Entity>;
