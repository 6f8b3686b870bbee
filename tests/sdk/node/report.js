'use strict';

/** One line a check, as `cargo xtask test` counts them, and counts at the end. */

const assert = require('node:assert/strict');

class Report {
  passed = 0;
  failed = 0;

  /** One check: the sentence holds if what is done throws nothing. */
  async check(sentence, act) {
    try {
      await act();
      this.passed += 1;
      say(`ok - ${sentence}`);
    } catch (error) {
      this.failed += 1;
      say(`not ok - ${sentence}: ${reason(error)}`);
    }
  }

  /** Prints the counts and sets the exit code. */
  end() {
    say(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed || !this.passed ? 1 : 0;
  }
}

/** Runs a client to its end; one that fails outside its checks did not run to its end. */
function run(client) {
  const report = new Report();
  client(report).then(
    () => report.end(),
    (error) => {
      console.error(error);
      process.exitCode = 1;
    },
  );
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

/** The error in one line; SDKs put more into some than a reader wants. */
function reason(error) {
  return String(error?.message ?? error).replace(/\s+/g, ' ').slice(0, 500);
}

module.exports = { run, equal: assert.deepStrictEqual, holds: assert.ok };
