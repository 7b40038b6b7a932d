// SPDX-License-Identifier: Apache-2.0
// Standard input has a line for each pair of files, with a tab between: js-yaml must see the same values in
// both.  What it refuses in the first is not compared.
'use strict';

const fs = require('fs');
const path = require('path');
const util = require('util');
const yaml = require('js-yaml');

function documents(file) {
	const values = [];
	yaml.loadAll(fs.readFileSync(file, 'utf8'), (value) => {
		if (value !== null && value !== undefined)
			values.push(value);
	});
	return values;
}

// js-yaml keeps the blanks at the end of a line that is folded between quotes, and a line of blanks alone in
// a block; the suite, and all others, see what we see.
const ITS_OWN = new Set(['6WPF-00', '7A4E-00', 'DE56-01', 'DE56-03', 'DE56-04', 'DE56-05', 'JEF9-02',
	'NAT4-00', 'PRH3-00', 'Q8AD-00', 'T4YY-00', 'TL85-00']);

let compared = 0, faults = 0, its_own = 0;

function compare(source, written) {
	let before, after;
	try {
		before = documents(source);
	} catch (error) {
		return;
	}
	compared++;
	try {
		after = documents(written);
	} catch (error) {
		console.error(`${source}: js-yaml no longer reads it: ${error.message}`);
		faults++;
		return;
	}
	if (util.isDeepStrictEqual(before, after))
		return;
	if (ITS_OWN.has(path.basename(source, '.yaml'))) {
		its_own++;
	} else {
		console.error(`${source}: means something else to js-yaml`);
		faults++;
	}
}

for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean))
	compare(...line.split('\t'));
console.log(`js-yaml: ${compared} compared, ${its_own} known to differ, ${faults} faults`);
process.exit(faults === 0 && compared > 0 ? 0 : 1);
