// What Streamlit leaves to us: a page begins at its top, and on a phone the menu closes once a page is chosen.
// Runs again whenever another page, or another run, study or form, is shown.
document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0)
if (!window.abpMenu) {
  window.abpMenu = true
  document.addEventListener("click", ({ target }) => {
    if (window.innerWidth <= 768 && target.closest('[data-testid="stSidebar"] a')) {
      document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click()
    }
  })
}
