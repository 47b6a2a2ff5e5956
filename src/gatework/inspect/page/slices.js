// Long computations as generators, run in slices so that the page stays awake.

const SLICE = 20; // milliseconds

/** Runs a generator to its end, and resolves to what it returns; to null where `wanted` no longer holds. */
export function inSlices(work, wanted) {
  return new Promise((finish, fail) => {
    const go = () => {
      if (!wanted()) return finish(null);
      const end = performance.now() + SLICE;
      try {
        for (;;) {
          const { done, value } = work.next();
          if (done) return finish(value);
          if (performance.now() > end) break;
        }
      } catch (error) {
        return fail(error);
      }
      setTimeout(go, 0);
    };
    go();
  });
}
