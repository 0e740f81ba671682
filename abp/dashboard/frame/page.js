// What Streamlit leaves to us: a page begins at its top, and on a phone the menu closes once a page is chosen.
// Runs again whenever another page, or another run, study or form, is shown.
document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0)
if (!window.abpPages) {
  window.abpPages = true
  document.addEventListener("click", ({ target }) => {
    if (window.innerWidth <= 768 && target.closest('[data-testid="stSidebar"] a')) {
      document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click()
    }
  })
  // A page that is opened without a study shows the newest one and says so in its address: no step to go back to.
  const { pushState } = history
  history.pushState = function (state, unused, address) {
    const next = new URL(address, location)
    const named = ({ search }) => new URLSearchParams(search).has("study")
    const filledIn = next.pathname === location.pathname && named(next) && !named(location)
    return (filledIn ? history.replaceState : pushState).call(history, state, unused, address)
  }
}
