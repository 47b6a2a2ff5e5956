// What each operation does to rows of units. Both tables are filled in from that of gatework.notation.ops.

/** Unit by unit: each fills a row y from one or two others. @type {Record<string, Function>} */
export const POINTWISE = {
  /* {{pointwise}} */
};

/** Over all units of a row a: another row, or the number that stands in every place. @type {Record<string, Function>} */
export const ROWS = {
  /* {{rows}} */
};
