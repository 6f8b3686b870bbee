'use strict';

/**
 * Whether answers are what the second generation's models say, field by field and type by type.
 *
 * The models themselves are more forgiving: they pass over fields they do not know and turn most types into
 * most others, so that what they accept proves little.
 */

const Ecs = require('@alicloud/ecs20140526');

/** What the emulator adds: some Go clients of the first generation read a tag's fields by these names. */
const ADDED = /\.Tags\.Tag\.(Key|Value)$/;

/** Where an action's answer, as JSON, differs from its model. */
function misfits(action, answer) {
  return differing(answer, Ecs[`${action}ResponseBody`], action);
}

function differing(value, type, where) {
  if (typeof type === 'string') {
    return typeof value === type ? [] : [`${where} is ${typeof value}, not ${type}`];
  }
  if (type.type === 'array') {
    if (!Array.isArray(value)) return [`${where} is no array`];
    return value.flatMap((item) => differing(item, type.itemType, where));
  }
  const fields = Object.entries(type.names());
  return Object.entries(value).flatMap(([name, item]) => {
    const field = fields.find(([, wire]) => wire === name);
    const inside = `${where}.${name}`;
    if (ADDED.test(inside)) return [];
    return field ? differing(item, type.types()[field[0]], inside) : [`${inside} is unknown`];
  });
}

module.exports = { misfits };
