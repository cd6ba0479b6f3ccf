/** The checks of a test that is a script: each is told as it is made, and `finish` ends the process with what came of them. */
export function startChecks() {
  let passed = 0;
  let failed = 0;
  return {
    check(what, holds, detail = '') {
      if (holds) passed++;
      else failed++;
      console.log(`${holds ? 'ok    ' : 'FAILED'} ${what}${detail ? ` (${detail})` : ''}`);
    },
    finish() {
      console.log(`${passed} passed, ${failed} failed`);
      process.exit(failed === 0 ? 0 : 1);
    },
  };
}
