// SPDX-License-Identifier: Apache-2.0
//
// NODE_PATH=... node k8s-validate.js FILE|-...: are the documents of manifests valid for Kubernetes,
// field by field?  Each document becomes an object literal of the type that its apiVersion and kind name, and
// the TypeScript compiler refuses what is unknown, missing or of another type.  Exit 1 with a line for each
// error: file, document, object, path, sentence.  Kinds without a type here (custom resources) are named on
// standard error and not checked; kind List is checked item by item.
'use strict';

const fs = require('fs');
const nodePath = require('path');
const ts = require('typescript');
const yaml = require('js-yaml');

const TYPES = nodePath.dirname(require.resolve('kubernetes-types/package.json'));
const VIRTUAL = nodePath.join(TYPES, 'manifest.ts');

// Timestamps are strings to Kubernetes.
const SCHEMA = yaml.CORE_SCHEMA.extend({ implicit: [yaml.types.merge], explicit: [yaml.types.binary] });

// ---- Documents ----------------------------------------------------------------------------------------

// One object of a manifest: where it is, what it is, and the lines it becomes.
function objectsOf(file, errors) {
	const objects = [];
	let number = 0;
	const add = (value, where) => {
		if (value === null || value === undefined)
			return;
		if (typeof value !== 'object' || Array.isArray(value))
			errors.push(`${where}: not an object`);
		else if (value.kind === 'List' && Array.isArray(value.items))
			value.items.forEach((item, i) => add(item, `${where} item ${i}`));
		else
			objects.push({ where, value });
	};
	try {
		const text = fs.readFileSync(file === '-' ? 0 : file, 'utf8');
		yaml.loadAll(text, (value) => add(value, `${file}: document ${++number}`), { schema: SCHEMA });
	} catch (error) {
		errors.push(`${file}: ${error.message.split('\n')[0]}`);
	}
	return objects;
}

function nameOf(value) {
	const name = value.metadata && value.metadata.name;
	return `${value.kind} ${typeof name === 'string' ? name : '?'}`;
}

// ---- Types --------------------------------------------------------------------------------------------

// "apps/v1" is apps/v1, "v1" is core/v1, "networking.k8s.io/v1" is networking/v1.
function moduleOf(apiVersion) {
	const parts = String(apiVersion).split('/');
	const [group, version] = parts.length === 1 ? ['core', parts[0]] : parts;
	return `${group.split('.')[0]}/${version}`;
}

const texts = new Map();

function textOf(module) {
	const file = nodePath.join(TYPES, `${module}.d.ts`);
	if (!texts.has(module))
		texts.set(module, /^[a-z0-9/]+$/.test(module) && fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');
	return texts.get(module);
}

// A type of that kind and of that very apiVersion, which rules out a custom resource that sounds like it.
function hasType(value) {
	const text = textOf(moduleOf(value.apiVersion));
	const begin = text.indexOf(`export interface ${value.kind} {`);
	if (!/^[A-Za-z0-9]+$/.test(value.kind) || begin < 0)
		return false;
	return text.slice(begin, text.indexOf('\n}', begin)).includes(`apiVersion?: "${value.apiVersion}"`);
}

// Where the published types are not what Kubernetes takes: a quantity may be a number, a schema has extensions,
// and a rule of a webhook has the members of the rule it is made of.
const CORRECTIONS = [
	['api/resource.d.ts', 'export type Quantity = string;', 'export type Quantity = string | number;'],
	['apiextensions/v1.d.ts', 'export interface JSONSchemaProps {',
		'export interface JSONSchemaProps { [extension: `x-kubernetes-${string}`]: any;'],
	['admissionregistration/v1.d.ts', 'export interface RuleWithOperations {', 'export interface RuleWithOperations {' +
		' resources?: string[]; scope?: string;'],
];

function correct(file, text) {
	for (const [name, wrong, right] of CORRECTIONS.filter(([name]) => file.endsWith(name)))
		text = text.replace(wrong, right);
	return text;
}

// ---- Checking -----------------------------------------------------------------------------------------

function sourceOf(objects) {
	return objects.map(({ value }, i) =>
		`import type { ${value.kind} as T${i} } from "./${moduleOf(value.apiVersion)}";\n` +
		`export const v${i}: T${i} = ${JSON.stringify(value)};\n`).join('');
}

function compile(source) {
	const options = {
		noEmit: true, types: [], lib: ['lib.es5.d.ts'], strict: false, module: ts.ModuleKind.CommonJS,
		moduleResolution: ts.ModuleResolutionKind.Node10 || ts.ModuleResolutionKind.NodeJs,
		noErrorTruncation: false, skipLibCheck: true,
	};
	const host = ts.createCompilerHost(options);
	const read = host.getSourceFile;
	host.fileExists = (file) => file === VIRTUAL || fs.existsSync(file);
	host.getSourceFile = (file, version, ...rest) => {
		if (file === VIRTUAL)
			return ts.createSourceFile(file, source, version, true);
		if (CORRECTIONS.some(([name]) => file.endsWith(name)))
			return ts.createSourceFile(file, correct(file, fs.readFileSync(file, 'utf8')), version, true);
		return read.call(host, file, version, ...rest);
	};
	return ts.createProgram([VIRTUAL], options, host);
}

// The number of the object and the path inside it, from the place the compiler complains about.
function placeOf(file, position) {
	const path = [];
	let node = file, child = file;
	while (child !== undefined) {
		node = child;
		child = undefined;
		ts.forEachChild(node, (next) => {
			if (next.getStart(file) <= position && position < next.getEnd())
				child = next;
		});
		if (child === undefined)
			break;
		if (ts.isPropertyAssignment(child))
			path.push(/^[A-Za-z0-9_]+$/.test(child.name.text) ? `.${child.name.text}` : `["${child.name.text}"]`);
		else if (ts.isArrayLiteralExpression(node))
			path.push(`[${node.elements.indexOf(child)}]`);
	}
	let top = node;
	while (top.parent !== undefined && !ts.isVariableDeclaration(top))
		top = top.parent;
	const number = ts.isVariableDeclaration(top) ? Number(top.name.text.slice(1)) : -1;
	return { number, path: `$${path.join('')}` };
}

function check(objects, errors) {
	const program = compile(sourceOf(objects));
	const file = program.getSourceFile(VIRTUAL);
	const found = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics(),
		...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
	for (const diagnostic of found) {
		const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ').replace(/\s+/g, ' ')
			.replace(/ in type '\{.*\}' but/, ' but').replace(/^Object literal may only specify known properties, and /, '');
		if (diagnostic.file !== file) {
			errors.push(`the compiler: ${message}`);
			continue;
		}
		const { number, path } = placeOf(file, diagnostic.start);
		const object = objects[number];
		errors.push(object === undefined ? `the compiler: ${message}` :
			`${object.where}: ${nameOf(object.value)}: ${path}: ${message}`);
	}
}

function main(files) {
	if (files.length === 0) {
		console.error('usage: k8s-validate.js FILE|-...');
		return 2;
	}
	const errors = [];
	const all = files.flatMap((file) => objectsOf(file, errors));
	const known = all.filter(({ value }) => hasType(value));
	for (const { where, value } of all.filter(({ value }) => !hasType(value)))
		console.error(`${where}: ${nameOf(value)}: not checked: no type for ${value.apiVersion}`);
	if (known.length > 0)
		check(known, errors);
	for (const error of errors)
		console.log(error);
	console.error(`${all.length} objects, ${known.length} checked, ${errors.length} errors`);
	return errors.length > 0 ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
