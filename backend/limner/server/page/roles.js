/** Which of a method's pictures have a place: a second of a kind comes after the first. */

/**
 * The role that another follows by its name: "style2" follows "style", "style3" "style2".
 * @param {string} role
 * @returns {string} nothing if it follows none
 */
export function before(role) {
  const [, name, number] = /^(.*\D)(\d+)$/.exec(role) ?? [];
  if (!(number >= 2)) return "";
  return number > 2 ? `${name}${number - 1}` : name;
}

/**
 * The roles that have a place: all, but for those that follow one without a picture.
 * @param {string[]} roles in their order
 * @param {{has: (role: string) => boolean}} given the roles that have a picture
 * @returns {string[]}
 */
export function openRoles(roles, given) {
  const found = [];
  for (const role of roles) {
    const first = before(role);
    if (!roles.includes(first) || (found.includes(first) && given.has(first))) found.push(role);
  }
  return found;
}
