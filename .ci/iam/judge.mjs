// Judges requests by IAM policies with an evaluator that this project did not write.
//
// In: {"roles": {name: {"identity": {policy: document}, "boundary": document or null}},
//      "resources": {arn: document},
//      "perimeters": {name: {"rcp", "scp", "endpoint": document}}, each of them and all may be missing,
//      "requests": [{"role": name or null, "principal", "action", "resource", "account", "context",
//                    "perimeter": name or missing}]}
// Out: for each request {"result", "why", "by": ["policy.Sid"]}. `result` is Allowed, Denied, or Unjudged
// with `why`: the evaluator does not know the action, the resource or a condition key that was given.

import { readFileSync, writeSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'

// Its data has the family of keys kms:EncryptionContext:..., but it knows families by a slash alone. Under a name
// that it lets pass with every action, in policies and requests alike, it compares them as any other key.
const text = readFileSync(0, 'utf8').replaceAll(
  '"kms:EncryptionContext:',
  '"aws:PrincipalTag/kms:EncryptionContext:'
)
const { roles, resources, requests, perimeters = {} } = JSON.parse(text)

const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
const organization = (name, policy, ...others) =>
  policy ? [{ orgIdentifier: 'o-1', policies: [{ name, policy }, ...others] }] : []

const named = (statements = [], name) =>
  statements.map((one) => `${name ?? one.policyId}.${one.statement.sid()}`)

async function judge({ role, principal, action, resource, account, context, perimeter }) {
  const { identity = {}, boundary = null } = roles[role] ?? {}
  const { rcp, scp, endpoint } = perimeters[perimeter] ?? {}
  const answer = await runSimulation(
    {
      request: {
        principal,
        action,
        resource: { resource, accountId: account },
        contextVariables: context
      },
      identityPolicies: Object.entries(identity).map(([name, policy]) => ({ name, policy })),
      serviceControlPolicies: organization('scp', scp, { name: 'FullAWSAccess', policy: everything }),
      resourceControlPolicies: organization('rcp', rcp),
      vpcEndpointPolicies: endpoint ? [{ name: 'endpoint', policy: endpoint }] : undefined,
      resourcePolicy: resources[resource],
      permissionBoundaryPolicies: boundary ? [{ name: 'boundary', policy: boundary }] : undefined
    },
    { simulationMode: 'Strict' }
  )
  if (answer.resultType !== 'single') {
    return { result: 'Unjudged', why: JSON.stringify(answer.errors ?? answer.resultType), by: [] }
  }
  const { analysis, ignoredContextKeys } = answer.result
  if (ignoredContextKeys.length > 0) {
    return { result: 'Unjudged', why: `no key of this action: ${ignoredContextKeys}`, by: [] }
  }
  const allowed = answer.overallResult === 'Allowed'
  const kind = allowed ? 'allowStatements' : 'denyStatements'
  const by = [
    ...named(analysis.identityAnalysis?.[kind]),
    ...named(analysis.resourceAnalysis?.[kind], 'resource'),
    ...(analysis.permissionBoundaryAnalysis?.result === 'Allowed' ? [] : analysis.blockedBy ?? [])
  ]
  return { result: allowed ? 'Allowed' : 'Denied', why: answer.overallResult, by }
}

const verdicts = []
for (const request of requests) verdicts.push(await judge(request))
writeSync(1, JSON.stringify(verdicts))
