// Sets the colors that were chosen in this browser, before anything is shown.

(() => {
  const KEY = 'lymph-colors';
  const MEDIA = { system: '(prefers-color-scheme: dark)', light: 'not all', dark: 'all' };

  function chosen() {
    try {
      const found = localStorage.getItem(KEY);
      return Object.hasOwn(MEDIA, found) ? found : 'system';
    } catch {
      return 'system'; // the browser keeps nothing
    }
  }

  function show(choice) {
    document.getElementById('dark').media = MEDIA[choice];
    document.documentElement.style.colorScheme = choice === 'system' ? '' : choice;
  }

  /** Which colors are chosen, and choosing others. */
  globalThis.lymphColors = {
    chosen,
    choose(choice) {
      show(choice);
      try {
        localStorage.setItem(KEY, choice);
      } catch {
        // then they are those of this page only
      }
    },
  };
  show(chosen());
})();
