import { z } from 'zod';
import type { Entity } from '../entity.ts';
import * as idp from '../views/idp.ts';
import * as xaa from '../views/xaa.ts';

/** Whose assertions about people are believed, and what comes of them (enterprise-managed authorization). */
export const federationEntities = {
  idp: {
    title: 'Trusted identity providers',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/idps',
        summary: 'List trusted identity providers.',
        query: idp.ListIdps,
        returns: z.array(idp.IdpView),
      },
      get: {
        method: 'GET',
        path: '/admin/idps/{id}',
        summary: 'Show a trusted identity provider.',
        returns: idp.IdpView,
      },
      create: {
        method: 'POST',
        path: '/admin/idps',
        summary:
          'Trust an identity provider; without `jwks_uri` its metadata is asked, and it is stored whatever comes of it.',
        body: idp.CreateIdp,
        returns: idp.CreatedIdp,
        status: 201,
        audit: 'idp.created',
      },
      update: {
        method: 'PATCH',
        path: '/admin/idps/{id}',
        summary: 'Change a trusted identity provider; its issuer stays.',
        body: idp.UpdateIdp,
        returns: idp.IdpView,
        audit: 'idp.updated',
      },
      put: {
        method: 'PUT',
        path: '/admin/idps/{id}',
        summary: 'Another name of PATCH: what is absent stays.',
        body: idp.UpdateIdp,
        returns: idp.IdpView,
        audit: 'idp.updated',
      },
      delete: {
        method: 'DELETE',
        path: '/admin/idps/{id}',
        summary: 'No longer trust an identity provider.',
        query: idp.DeleteIdp,
        rehearsal: idp.IdpEnd,
        audit: ['idp.deleted', 'xaa_policy.deleted', 'subject_mapping.deleted'],
      },
      refreshKeys: {
        method: 'POST',
        path: '/admin/idps/{id}/refresh-keys',
        summary: 'Fetch its keys, check them, and have every token service fetch them again.',
        returns: idp.RefreshedKeys,
        audit: 'idp.keys_refreshed',
      },
    },
  },

  xaaPolicy: {
    title: 'XAA policies',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/xaa/policies',
        summary: 'List policies, those of one identity provider in the order in which they are asked.',
        query: xaa.ListXaaPolicies,
        returns: z.array(xaa.XaaPolicyView),
      },
      get: {
        method: 'GET',
        path: '/admin/xaa/policies/{id}',
        summary: 'Show a policy.',
        returns: xaa.XaaPolicyView,
      },
      create: {
        method: 'POST',
        path: '/admin/xaa/policies',
        summary: 'Say what assertions of an identity provider may become tokens for.',
        body: xaa.CreateXaaPolicy,
        returns: xaa.XaaPolicyView,
        status: 201,
        audit: 'xaa_policy.created',
      },
      update: {
        method: 'PATCH',
        path: '/admin/xaa/policies/{id}',
        summary: 'Change a policy; it stays with its identity provider.',
        body: xaa.UpdateXaaPolicy,
        returns: xaa.XaaPolicyView,
        audit: 'xaa_policy.updated',
      },
      put: {
        method: 'PUT',
        path: '/admin/xaa/policies/{id}',
        summary: 'Another name of PATCH: what is absent stays.',
        body: xaa.UpdateXaaPolicy,
        returns: xaa.XaaPolicyView,
        audit: 'xaa_policy.updated',
      },
      delete: {
        method: 'DELETE',
        path: '/admin/xaa/policies/{id}',
        summary: 'Delete a policy.',
        audit: 'xaa_policy.deleted',
      },
    },
  },

  subjectMapping: {
    title: 'XAA subject mappings',
    operations: {
      list: {
        method: 'GET',
        path: '/admin/xaa/subject-mappings',
        summary: 'List which subjects of identity providers have which accounts here.',
        query: xaa.ListSubjectMappings,
        returns: z.array(xaa.SubjectMappingView),
      },
      get: {
        method: 'GET',
        path: '/admin/xaa/subject-mappings/{id}',
        summary: 'Show a subject mapping.',
        returns: xaa.SubjectMappingView,
      },
      create: {
        method: 'POST',
        path: '/admin/xaa/subject-mappings',
        summary: 'Say which account a subject of an identity provider has here.',
        body: xaa.CreateSubjectMapping,
        returns: xaa.SubjectMappingView,
        status: 201,
        audit: 'subject_mapping.created',
      },
      update: {
        method: 'PATCH',
        path: '/admin/xaa/subject-mappings/{id}',
        summary: 'Give a subject another account, or none.',
        body: xaa.UpdateSubjectMapping,
        returns: xaa.SubjectMappingView,
        audit: 'subject_mapping.updated',
      },
      delete: {
        method: 'DELETE',
        path: '/admin/xaa/subject-mappings/{id}',
        summary: 'Delete a subject mapping.',
        audit: 'subject_mapping.deleted',
      },
    },
  },
} as const satisfies Record<string, Entity>;
