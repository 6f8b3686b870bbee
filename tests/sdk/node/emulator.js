'use strict';

/** The emulator that `cargo xtask test` has started for this client: where it is, and its control port. */

const fs = require('node:fs');
const path = require('node:path');

// For connecting and for reading. Some of the SDKs' own limits are a second, which a busy machine passes.
const TIMEOUT_MILLIS = 20_000;

// Issued by nobody and trusted by nobody.
const OTHER_CA = fs.readFileSync(path.join(__dirname, '../other-ca.pem'), 'utf8');

class Emulator {
  constructor() {
    const ready = JSON.parse(process.env.ECS_EMULATOR);
    this.host = new URL(ready.ecs).host;
    this.ca = fs.readFileSync(ready.ca, 'utf8');
    this.region = ready.region;
    this.zone = ready.zone;
    this.instance = ready.instance;
    this.otherInstance = process.env.ECS_OTHER_INSTANCE;
    this.control = ready.control;
    /** What clients sign with; a token goes with temporary keys alone. */
    this.access = {
      keyId: ready.access_key_id,
      secret: fs.readFileSync(ready.secret_file, 'ascii').trim(),
    };
  }

  /** Orders a fault. */
  async fault(order) {
    await this.ask('POST', '/faults', order);
  }

  /** Takes back what was ordered and has not struck. */
  async clearFaults() {
    await this.ask('DELETE', '/faults');
  }

  /** Changes how the emulated cloud behaves. */
  async set(settings) {
    await this.ask('POST', '/settings', settings);
  }

  /** Ends all that is under way, once; for when the pace is held. */
  async step() {
    await this.ask('POST', '/step');
  }

  /** Every request that was read so far, with its signature's version and its method. */
  async requests() {
    return (await this.ask('GET', '/requests')).last;
  }

  /** A key as STS issues them, without the way through STS. */
  async temporaryKey(seconds) {
    const key = await this.ask('POST', '/credentials', { seconds });
    return { keyId: key.AccessKeyId, secret: key.AccessKeySecret, token: key.SecurityToken };
  }

  async ask(method, where, content) {
    const answer = await fetch(this.control + where, {
      method,
      body: content && JSON.stringify(content),
      signal: AbortSignal.timeout(TIMEOUT_MILLIS),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${where} of the emulator's control failed: ${text}`);
    return JSON.parse(text);
  }
}

module.exports = { Emulator, OTHER_CA, TIMEOUT_MILLIS };
